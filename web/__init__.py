"""The browser UI and the REST API: faces that parse, ask and render. Nothing outside knows the web framework."""
