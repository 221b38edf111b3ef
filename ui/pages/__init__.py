"""One module per page. Each has one public function, `page(client, me)`."""
