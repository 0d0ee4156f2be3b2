"""The app in the browser: the only place that knows Gradio. `page` lays it out, `handlers` answer, `launch` opens it."""
