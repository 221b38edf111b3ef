"""One module per page. Each has one public function, `page(client, me)`.

The folder isn't called `pages`: Streamlit takes one of that name beside the app for pages of its own kind, and runs the
files in it whatever the app says, until somebody has opened the app itself.
"""
