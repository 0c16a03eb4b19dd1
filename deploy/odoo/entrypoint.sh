#!/bin/bash
# What the container does: serve (default), install, upgrade, or any Odoo command
# ("shell", "--help" …). Secrets are files of /run/secrets; the processes of background
# jobs do not inherit them.
set -euo pipefail

DATABASE=crm
ADDONS=crm_data_governance,crm_omnichannel,crm_behavior_analytics,crm_sales_automation,crm_personalization,crm_ticket_routing

# secret <file> <variable>: take a variable from a secret, if there is one.
secret() {
    local file="/run/secrets/$1"
    if [[ -s "$file" ]]; then
        export "$2=$(<"$file")"
    fi
}

# How many of the six addons are installed; 0 in an empty database.
installed() {
    psql --dbname="$DATABASE" --tuples-only --no-align --command="
        SELECT count(*) FROM ir_module_module
        WHERE state = 'installed' AND name = ANY (string_to_array('$ADDONS', ','))
    " 2>/dev/null || echo 0
}

run_once() {
    odoo --stop-after-init --no-http --max-cron-threads=0 "$@"
}

install() {
    if [[ "$(installed)" == 6 ]]; then
        echo "The six addons are installed."
        return
    fi
    if [[ -z "${CRM_ADMIN_PASSWORD:-}" ]]; then
        echo "CRM_ADMIN_PASSWORD is not set: the first start needs it." >&2
        return 1
    fi
    # base first: the password must be set before anybody can get at the log-in page
    # with everything behind it.
    run_once --init=base --without-demo --load-language=zh_CN
    odoo shell --no-http --log-level=warn <<'PYTHON'
import os
env.ref("base.user_admin").password = os.environ["CRM_ADMIN_PASSWORD"]
env.cr.commit()
PYTHON
    run_once --init="$ADDONS" --without-demo
    [[ "$(installed)" == 6 ]]
}

secret postgres_password PGPASSWORD
secret crm_secret_key CRM_SECRET_KEY
secret crm_admin_password CRM_ADMIN_PASSWORD

case "${1:-serve}" in
    serve)
        exec odoo "${@:2}"
        ;;
    install)
        install
        ;;
    upgrade)
        run_once --update="$ADDONS"
        ;;
    *)
        exec odoo "$@"
        ;;
esac
