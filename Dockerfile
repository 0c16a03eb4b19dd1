# Odoo 19.0 with the six addons. Build context: this repository.
FROM odoo:19.0

USER root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Fonts for Chinese pages in PDF; the versions are those of the image's distribution.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl fonts-noto-cjk postgresql-client \
    && rm -rf /var/lib/apt/lists/*

# Only what the image lacks: Odoo's own packages stay as the image has them. A package of
# the distribution cannot be replaced in place, so a pinned one goes before it instead.
COPY requirements.txt requirements-oca.txt /opt/crm/
RUN sed -n '/^# What the six addons add/,$p' /opt/crm/requirements.txt \
        > /opt/crm/requirements-addons.txt \
    && pip install --no-cache-dir --break-system-packages --ignore-installed \
        --requirement /opt/crm/requirements-addons.txt \
    && pip install --no-cache-dir --no-deps --target /opt/crm/oca \
        --requirement /opt/crm/requirements-oca.txt

COPY deploy/odoo/entrypoint.sh /opt/crm/entrypoint.sh
COPY odoo.conf /etc/odoo/odoo.conf
COPY addons /opt/crm/addons
RUN chmod 0755 /opt/crm/entrypoint.sh && chmod 0644 /etc/odoo/odoo.conf

# What differs from `make run`, which gives these on the command line.
ENV ODOO_RC=/etc/odoo/odoo.conf \
    ODOO_ADDONS_PATH=/opt/crm/addons,/opt/crm/oca/odoo/addons \
    ODOO_DATA_DIR=/var/lib/odoo \
    ODOO_HTTP_INTERFACE=0.0.0.0

USER odoo
EXPOSE 8069 8072
ENTRYPOINT ["/opt/crm/entrypoint.sh"]
CMD ["serve"]
