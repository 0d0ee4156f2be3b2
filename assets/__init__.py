"""What ships beside the code, and the script that renders the example characters."""
