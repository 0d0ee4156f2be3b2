"""The app in the browser: the only place that knows Gradio. `rooms` are its parts, `page` puts them together,
`launch` opens it.
"""
