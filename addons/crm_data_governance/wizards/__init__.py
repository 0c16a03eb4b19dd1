from . import governance_credential_issue
