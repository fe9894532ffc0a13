"""A notebook in a kernel of its own: a bar while it trains, and a rich display of each result."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.libraries,
    # What the libraries themselves warn of.
    pytest.mark.filterwarnings("default"),
]

#: Each cell's code, and the type of what it shows.
CELLS = {
    "import bitfold, torch\nfrom bitfold.model_file import model_info": "",
    "run = bitfold.train(bitfold.Config(target='ring', size=32, shape='[6]*2', epochs=20,\n"
    "    points=300, kolmogorov_weight=0.003, kolmogorov_predictor='row_column',\n"
    "    output_dir='run', measure_folds=0, snapshot_format='none'))": "",
    "run": "text/html",
    "run.metrics": "text/html",
    "run.plot()": "image/png",
    "partition = bitfold.partition(run.network()); partition": "text/html",
    "partition.plot()": "image/png",
    "run.kolmogorov().bits()": "text/html",
    "run.kolmogorov().report()": "text/html",
    "bitfold.write_model('a.bitfold', run.network()); model_info('a.bitfold')": "text/html",
    "network = run.network()\n"
    "bitfold.audit_gradients({'task': lambda: network(torch.ones(9, 2)).square().sum()},\n"
    "    {'network': network})": "text/html",
}


def test_a_notebook_shows_a_bar_and_rich_results(tmp_path: Path) -> None:
    """No cell prints more than 5,000 characters, and nothing warns."""
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    for cell, wanted in zip(notebook.cells, CELLS.values(), strict=True):
        shown: list[Any] = [output for output in cell.outputs if "data" in output]
        if wanted:
            assert wanted in shown[-1]["data"], cell.source
            assert len(shown[-1]["data"]["text/plain"]) < 5000
    printed = str([cell.outputs for cell in notebook.cells])
    assert "Warning" not in printed
    # The bar is a widget, whose last state the notebook keeps.
    assert "20/20" in str(notebook.metadata["widgets"])
