"""The report of a run: one HTML file that needs nothing else."""

from bitfold.cli.page.document import report_page
from bitfold.cli.page.facts import Facts, gather

__all__ = ["Facts", "gather", "report_page"]
