"""What all calls share."""

# Items of a page: what the node gives at most with embeddings.
PAGE = 100


class Calls:
    """Calls of a client.

    `_native` is its native part; `_is_local` is true when the node is on this machine, where blobs
    have private addresses.
    """

    async def _parameters(self):
        return (await self._native.parameters())["parameters"]

    async def _all(self, page):
        """All items of a list: pages are followed to the end."""
        found, cursor = [], None
        while True:
            answer = await page(cursor)
            found.extend(answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                return found
