"""What every test may use: the fixtures for real control planes."""

pytest_plugins = ["testbed.plugin"]
