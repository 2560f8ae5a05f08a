"""What widely used custom kinds tell of their health, by theme. Each file has its rows at its end."""
