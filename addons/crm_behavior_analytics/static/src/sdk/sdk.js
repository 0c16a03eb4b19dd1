/*
 * The tracking script: page views (also of pages that change without loading),
 * identify and track, in Segment's format.
 *
 *   <script defer src="https://…/behavior/sdk.js" data-key="<write key>"></script>
 *
 * Nothing is stored and nothing is sent before the visitor has agreed: to optional
 * cookies in Odoo's cookies bar, or through behavior.consent(true) on any other page.
 * Do-Not-Track and Global Privacy Control are a no. Until then calls are held in the
 * memory of the page only.
 */
(function () {
    "use strict";
    var script = document.currentScript;
    var key = script && script.dataset.key;
    if (!key || window.behavior?.version) {
        return;
    }
    var VERSION = "1.0.0";
    var ENDPOINT = new URL("/v1/batch", script.src).href;
    var STORE = "crm_behavior";
    var FLUSH_AFTER = 1000;
    var BATCH = 20;
    var MAX_HELD = 200;
    var MAX_WAIT = 60000;
    var agreed = false;
    var held = [];
    var timer = null;
    var wait = FLUSH_AFTER;
    var lastPage = null;
    var referrer = document.referrer;

    function refused() {
        return (
            navigator.globalPrivacyControl === true ||
            navigator.doNotTrack === "1" ||
            window.doNotTrack === "1"
        );
    }

    function cookieConsent() {
        var found = document.cookie.match(/(?:^|; )website_cookies_bar=([^;]+)/);
        if (!found) {
            return false;
        }
        try {
            return JSON.parse(decodeURIComponent(found[1])).optional === true;
        } catch {
            return false;
        }
    }

    // -- storage: only touched after consent ------------------------------------

    function read() {
        try {
            return JSON.parse(localStorage.getItem(STORE)) || {};
        } catch {
            return memory;
        }
    }

    var memory = {};

    function write(state) {
        memory = state;
        try {
            localStorage.setItem(STORE, JSON.stringify(state));
        } catch {
            // Storage is full or closed: the state lives as long as the page.
        }
    }

    function uuid() {
        if (window.crypto?.randomUUID) {
            return crypto.randomUUID();
        }
        var bytes = crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, function (byte) {
            return byte.toString(16).padStart(2, "0");
        }).join("");
    }

    function visitor(state) {
        state.anonymousId = state.anonymousId || uuid();
        return state;
    }

    // -- queue ------------------------------------------------------------------

    function enqueue(message) {
        if (!agreed) {
            held.push(message);
            held = held.slice(-MAX_HELD);
            return;
        }
        var state = visitor(read());
        message.anonymousId = message.anonymousId || state.anonymousId;
        if (message.type === "identify" && message.userId) {
            state.userId = message.userId;
        } else if (state.userId && !message.userId) {
            message.userId = state.userId;
        }
        state.queue = (state.queue || []).concat(message).slice(-MAX_HELD);
        write(state);
        schedule(FLUSH_AFTER);
    }

    function schedule(delay) {
        if (!timer) {
            timer = setTimeout(flush, delay);
        }
    }

    function body(messages) {
        return JSON.stringify({
            writeKey: key,
            sentAt: new Date().toISOString(),
            batch: messages,
        });
    }

    function settle(messages) {
        // Another tab may have added to the queue meanwhile.
        var state = read();
        var sent = new Set(
            messages.map(function (message) {
                return message.messageId;
            })
        );
        state.queue = (state.queue || []).filter(function (message) {
            return !sent.has(message.messageId);
        });
        write(state);
        return state.queue.length;
    }

    function flush() {
        timer = null;
        var messages = agreed ? (read().queue || []).slice(0, BATCH) : [];
        if (!messages.length) {
            return;
        }
        // As plain text it needs no leave of the server beforehand (CORS preflight).
        fetch(ENDPOINT, {
            method: "POST",
            body: body(messages),
            credentials: "omit",
            keepalive: true,
            headers: {"Content-Type": "text/plain"},
        }).then(
            function (response) {
                if (response.status === 429 || response.status >= 500) {
                    again();
                } else {
                    // Landed, or refused for good: the same message is never repeated.
                    wait = FLUSH_AFTER;
                    if (settle(messages)) {
                        schedule(0);
                    }
                }
            },
            again
        );
    }

    function again() {
        wait = Math.min(wait * 2, MAX_WAIT);
        schedule(wait);
    }

    function flushAtEnd() {
        var messages = agreed ? (read().queue || []).slice(0, BATCH) : [];
        if (messages.length && navigator.sendBeacon?.(ENDPOINT, body(messages))) {
            settle(messages);
        }
    }

    // -- messages ---------------------------------------------------------------

    function message(type, values) {
        var result = Object.assign(
            {
                type: type,
                messageId: uuid(),
                timestamp: new Date().toISOString(),
                context: {
                    library: {name: "behavior.js", version: VERSION},
                    page: {
                        path: location.pathname,
                        url: location.origin + location.pathname,
                        title: document.title,
                        referrer: referrer,
                    },
                    locale: navigator.language,
                    userAgent: navigator.userAgent,
                    screen: {width: screen.width, height: screen.height},
                },
            },
            values
        );
        return result;
    }

    function page(name, properties) {
        var path = location.pathname + location.search;
        var values = {
            properties: Object.assign(
                {
                    path: location.pathname,
                    title: document.title,
                    referrer: referrer,
                },
                properties
            ),
        };
        if (name) {
            values.name = name;
        }
        lastPage = path;
        enqueue(message("page", values));
        referrer = location.origin + location.pathname;
    }

    function track(event, properties) {
        enqueue(message("track", {event: event, properties: properties || {}}));
    }

    function identify(userId, traits) {
        if (userId !== null && typeof userId === "object") {
            traits = userId;
            userId = null;
        }
        var values = {traits: traits || {}};
        if (userId) {
            values.userId = String(userId);
        }
        enqueue(message("identify", values));
    }

    function forget() {
        memory = {};
        try {
            localStorage.removeItem(STORE);
        } catch {
            // Closed storage holds nothing.
        }
    }

    function consent(yes) {
        if (yes && !refused()) {
            agreed = true;
            held.splice(0).forEach(enqueue);
            if ((read().queue || []).length) {
                schedule(0);
            }
        } else {
            agreed = false;
            held = [];
            forget();
        }
    }

    // -- pages that change without loading ----------------------------------------

    function moved() {
        if (location.pathname + location.search !== lastPage) {
            page();
        }
    }

    ["pushState", "replaceState"].forEach(function (name) {
        var original = history[name];
        history[name] = function () {
            var result = original.apply(this, arguments);
            // The page sets its title after the address.
            setTimeout(moved, 0);
            return result;
        };
    });
    window.addEventListener("popstate", function () {
        setTimeout(moved, 0);
    });
    document.addEventListener("visibilitychange", function () {
        if (document.visibilityState === "hidden") {
            flushAtEnd();
        }
    });
    document.addEventListener("optionalCookiesAccepted", function () {
        consent(true);
    });
    document.addEventListener("optionalCookiesDenied", function () {
        consent(false);
    });

    var early = Array.isArray(window.behavior) ? window.behavior : [];
    window.behavior = {
        version: VERSION,
        page: page,
        track: track,
        identify: identify,
        consent: consent,
        /** The visitor's id, for what else serves the page; none before consent. */
        anonymousId: function () {
            return agreed ? read().anonymousId : undefined;
        },
        /** Forget who this visitor is: at log-out. */
        reset: function () {
            flushAtEnd();
            forget();
        },
        flush: flush,
        push: function (call) {
            window.behavior[call[0]].apply(null, call.slice(1));
        },
    };
    if (cookieConsent()) {
        consent(true);
    }
    page();
    early.forEach(window.behavior.push);
})();
