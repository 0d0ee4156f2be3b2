"""The app in the browser: the only place that knows Gradio. `components` are its parts, `page` puts them
together, `launch` opens it.
"""
