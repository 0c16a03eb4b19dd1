from . import governance_erasure
from . import governance_lineage
from . import governance_metrics
from . import test_governance_device
from . import test_governance_person
from . import test_governance_queue
