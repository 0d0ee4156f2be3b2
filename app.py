"""Builds and launches the app: `python app.py`, or as a Hugging Face Space."""

from facetransfer.ui.launch import launch

if __name__ == "__main__":
    launch()
