"""Mean distances of rows and columns."""

import torch

from bitfold.kolmogorov.predictors.line_means import line_means


def test_products_are_found_exactly() -> None:
    """Distances that are products of a row's and a column's number give these products back."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.rand(n, generator=generator, dtype=torch.float64) + 0.1 for n in (7, 5))
    distances = rows.unsqueeze(1) * columns
    found = line_means(distances, distances > 0)
    torch.testing.assert_close(found.mean * found.rows.unsqueeze(1) * found.columns, distances)


def test_unused_rows_and_columns_count_for_no_other() -> None:
    """Lines without any used weight have the factor 1 and leave the others as they are."""
    generator = torch.Generator().manual_seed(0)
    inner = torch.rand(4, 3, generator=generator) + 0.1
    distances, is_used = torch.full((6, 4), 1e-3), torch.zeros(6, 4, dtype=torch.bool)
    distances[1:5, :3], is_used[1:5, :3] = inner, True
    found, alone = line_means(distances, is_used), line_means(inner, inner > 0)
    assert found.in_rows.tolist() == [False, True, True, True, True, False]
    assert found.in_columns.tolist() == [True, True, True, False]
    torch.testing.assert_close(found.mean, alone.mean)
    torch.testing.assert_close(found.rows[1:5], alone.rows)
    torch.testing.assert_close(found.columns[:3], alone.columns)
    assert found.rows[[0, 5]].tolist() == [1, 1]


def test_without_any_used_weight_nothing_is_infinite() -> None:
    """A dead tensor has the mean 0 and factors of 1."""
    found = line_means(torch.full((3, 2), 0.1), torch.zeros(3, 2, dtype=torch.bool))
    assert float(found.mean) == 0
    assert found.rows.tolist() == [1, 1, 1]
    assert found.columns.tolist() == [1, 1]
