"""Programs that bitfold is measured against."""
