from . import governance_credential_issue
from . import governance_field_simulation
