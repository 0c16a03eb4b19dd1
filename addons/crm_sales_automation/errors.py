class ProcessError(Exception):
    """Why a step of a process, or a quotation by rule, cannot be made.

    :ivar code: a key of ``messages.INCIDENTS``
    :ivar params: JSON, what the message needs
    """

    def __init__(self, code, **params):
        super().__init__(f"{code} {params}")
        self.code = code
        self.params = params
