"""Work for the background jobs of the tests."""
