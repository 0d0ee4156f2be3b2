"""The transfer itself, on tensors. It knows no face, no file and no person; it imports only from
`facetransfer.base`.
"""
