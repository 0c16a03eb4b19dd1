import { useRef } from "@odoo/owl";
import { Dropzone } from "@web/core/dropzone/dropzone";
import { useCustomDropzone } from "@web/core/dropzone/dropzone_hook";
import { registry } from "@web/core/registry";
import { checkFileSize } from "@web/core/utils/files";
import { getDataURLFromFile } from "@web/core/utils/urls";
import { BinaryField, binaryField } from "@web/views/fields/binary/binary_field";

/** A file field that also takes a file dropped on it. */
export class FileDropField extends BinaryField {
    static template = "crm_omnichannel.FileDropField";

    setup() {
        super.setup();
        useCustomDropzone(
            useRef("area"),
            Dropzone,
            { onDrop: (ev) => this.onDrop(ev) },
            () => !this.props.readonly
        );
    }

    async onDrop(ev) {
        const file = ev.dataTransfer.files[0];
        if (!file || !checkFileSize(file.size, this.notification)) {
            return;
        }
        const url = await getDataURLFromFile(file);
        await this.update({ name: file.name, data: url.split(",")[1] });
    }
}

registry.category("fields").add("omni_file_drop", {
    ...binaryField,
    component: FileDropField,
});
