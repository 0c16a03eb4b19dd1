/*
 * How quick the page was for this visitor: the web vitals as their definitions say
 * (web.dev/articles/vitals), and the times of loading.
 */

const MAX_GAP = 1000;
const MAX_WINDOW = 5000;

function observe(type, handle, options = {}) {
    try {
        const observer = new PerformanceObserver((list) => list.getEntries().forEach(handle));
        observer.observe({type, buffered: true, ...options});
    } catch {
        // This browser does not measure it.
    }
}

const round = (value) => (value === undefined ? undefined : Math.round(value));

export function watchVitals() {
    const found = {cls: 0, long_tasks: 0, long_task_ms: 0};
    const shift = {value: 0, first: 0, last: 0};
    observe("paint", (entry) => {
        if (entry.name === "first-contentful-paint") {
            found.fcp_ms = entry.startTime;
        } else {
            found.fp_ms = entry.startTime;
        }
    });
    observe("largest-contentful-paint", (entry) => {
        found.lcp_ms = entry.startTime;
        found.lcp_tag = entry.element?.localName;
    });
    observe("layout-shift", (entry) => {
        if (entry.hadRecentInput) {
            return;
        }
        const at = entry.startTime;
        const goes_on = at - shift.last < MAX_GAP && at - shift.first < MAX_WINDOW;
        shift.value = goes_on ? shift.value + entry.value : entry.value;
        shift.first = goes_on ? shift.first : at;
        shift.last = at;
        found.cls = Math.max(found.cls, shift.value);
    });
    observe("first-input", (entry) => {
        found.fid_ms = entry.processingStart - entry.startTime;
        found.inp_ms = Math.max(found.inp_ms || 0, entry.duration);
    });
    observe(
        "event",
        (entry) => {
            if (entry.interactionId) {
                found.inp_ms = Math.max(found.inp_ms || 0, entry.duration);
            }
        },
        {durationThreshold: 16}
    );
    observe("longtask", (entry) => {
        found.long_tasks += 1;
        found.long_task_ms += entry.duration;
    });

    /** @returns {object} what is known by now */
    return () => {
        const nav = performance.getEntriesByType("navigation")[0];
        const resources = performance.getEntriesByType("resource");
        return {
            lcp_ms: round(found.lcp_ms),
            lcp_tag: found.lcp_tag,
            fcp_ms: round(found.fcp_ms),
            fp_ms: round(found.fp_ms),
            cls: Math.round(found.cls * 10000) / 10000,
            inp_ms: round(found.inp_ms),
            fid_ms: round(found.fid_ms),
            long_tasks: found.long_tasks,
            long_task_ms: round(found.long_task_ms),
            resources: resources.length,
            resource_bytes: resources.reduce((sum, one) => sum + (one.transferSize || 0), 0),
            ...(nav && {
                ttfb_ms: round(nav.responseStart),
                redirects: nav.redirectCount,
                redirect_ms: round(nav.redirectEnd - nav.redirectStart),
                dns_ms: round(nav.domainLookupEnd - nav.domainLookupStart),
                connect_ms: round(nav.connectEnd - nav.connectStart),
                tls_ms: nav.secureConnectionStart
                    ? round(nav.connectEnd - nav.secureConnectionStart)
                    : 0,
                request_ms: round(nav.responseStart - nav.requestStart),
                response_ms: round(nav.responseEnd - nav.responseStart),
                dom_interactive_ms: round(nav.domInteractive),
                dom_ready_ms: round(nav.domContentLoadedEventEnd),
                load_ms: round(nav.loadEventEnd),
                transfer_bytes: nav.transferSize,
                page_bytes: nav.decodedBodySize,
                protocol: nav.nextHopProtocol || undefined,
            }),
        };
    };
}
