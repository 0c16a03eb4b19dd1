#: Who reads what routing does. A customer reads ticket and team in the portal, and by
#: RPC any field of them: neither the agents nor what they lack are the customer's.
INTERNAL = "crm_ticket_routing.group_routing_user"
