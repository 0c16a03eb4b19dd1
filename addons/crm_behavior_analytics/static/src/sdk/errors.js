/* Errors of the page's scripts, and files that did not load. */
import {cleanTrace, cleanUrl} from "./mask";

const MOST = 10;

export function watchErrors(sdk) {
    let count = 0;

    function report(values) {
        count += 1;
        if (count <= MOST) {
            sdk.track("Error Caught", {...values, number: count});
        }
    }

    addEventListener(
        "error",
        (event) => {
            const {target} = event;
            if (target instanceof Element) {
                report({
                    kind: "resource",
                    message: target.localName,
                    file: cleanUrl(target.src || target.href),
                });
            } else {
                report({
                    kind: "script",
                    message: cleanTrace(event.message),
                    error_type: event.error?.name,
                    file: event.filename ? cleanUrl(event.filename) : undefined,
                    line: event.lineno,
                    column: event.colno,
                    stack: cleanTrace(event.error?.stack, 1000) || undefined,
                });
            }
        },
        true
    );
    addEventListener("unhandledrejection", (event) => {
        report({
            kind: "promise",
            message: cleanTrace(event.reason?.message || event.reason),
            error_type: event.reason?.name,
            stack: cleanTrace(event.reason?.stack, 1000) || undefined,
        });
    });
}
