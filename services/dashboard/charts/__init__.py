"""Charts as SVG markup: pure functions, CSS classes instead of colours, text in `<title>` and `<desc>`.

Instants are written in the zone they carry, so pass them in the clinic's zone. A chart never replaces the
numbers: the caller shows them as text or in a visually hidden table.
"""
