"""Client of the SOMA network."""
