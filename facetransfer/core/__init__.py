"""The transfer itself, on tensors. It knows no face, no file and no person; it imports only from
`facetransfer.base`.
"""

from facetransfer.base.compiled_code import find_room_for_compiled_code

find_room_for_compiled_code()  # Before anything here imports numba.
