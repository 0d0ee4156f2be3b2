"""The three style faces that come with the app: modelled, lit and painted by maths alone."""
