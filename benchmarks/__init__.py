"""What a build costs, beside the one query that nobody would publish from, pandas and polars (`make benchmark`)."""
