"""What a build costs, beside the one query nobody would publish from and beside pandas and polars (`make benchmark`)."""
