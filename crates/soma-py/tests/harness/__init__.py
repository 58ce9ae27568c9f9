"""What the tests need around the package: networks, files to serve, weights."""
