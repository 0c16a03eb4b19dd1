/*
 * Clicks on what can be clicked, rage clicks (again and again on one spot) and dead
 * clicks (nothing happened).
 */
import {clean, cleanUrl} from "./mask";

const CLICKABLE =
    "a,button,summary,[role=button],[role=link],[role=tab],[role=menuitem],[onclick]," +
    "input[type=submit],input[type=button],input[type=image],input[type=checkbox],input[type=radio]";
const RAGE = {clicks: 3, pixels: 30, ms: 1000};
const DEAD_AFTER = 2500;
const DOWNLOAD = /\.(pdf|docx?|xlsx?|pptx?|csv|zip|rar|7z|gz|apk|dmg|exe|mp3|mp4|mov)$/i;

/** Names of an element and its parents, for people who look for it in the page. */
function pathOf(element) {
    const names = [];
    for (let one = element; one && one !== document.body && names.length < 5; one = one.parentElement) {
        names.unshift(
            one.localName +
                (one.id ? `#${one.id}` : one.classList[0] ? `.${one.classList[0]}` : "")
        );
    }
    return names.join(" > ");
}

function describe(element, event) {
    const link = element.closest("a[href]");
    const isField = /^(input|textarea|select)$/.test(element.localName);
    const width = document.documentElement.clientWidth;
    const extension = link && DOWNLOAD.exec(link.pathname);
    return {
        tag: element.localName,
        element_id: element.id || undefined,
        classes: clean(element.className.baseVal ?? element.className) || undefined,
        name: element.getAttribute("name") || undefined,
        role: element.getAttribute("role") || undefined,
        // What somebody has typed is nobody's business; a button's label is.
        text: isField && !/^(submit|button)$/.test(element.type)
            ? undefined
            : clean(element.innerText || element.value || element.getAttribute("aria-label")) ||
              undefined,
        selector: pathOf(element),
        href: link ? cleanUrl(link.href) : undefined,
        is_outbound: Boolean(link && link.host && link.host !== location.host),
        download: extension ? extension[1].toLowerCase() : undefined,
        x: Math.round(event.pageX),
        y: Math.round(event.pageY),
        x_percent: width ? Math.round((100 * event.pageX) / width) : 0,
        pointer: event.pointerType || "mouse",
    };
}

export function watchClicks(sdk) {
    let recent = [];

    function watchDead(element, details) {
        const began = {address: location.href, scroll: scrollY, selection: String(getSelection())};
        let alive = false;
        const observer = new MutationObserver(() => {
            alive = true;
        });
        observer.observe(document, {
            subtree: true,
            childList: true,
            attributes: true,
            characterData: true,
        });
        setTimeout(() => {
            observer.disconnect();
            const moved =
                location.href !== began.address ||
                scrollY !== began.scroll ||
                String(getSelection()) !== began.selection;
            if (!alive && !moved && document.visibilityState === "visible") {
                sdk.track("Dead Click", details);
            }
        }, DEAD_AFTER);
    }

    addEventListener(
        "click",
        (event) => {
            const target = event.target instanceof Element ? event.target : null;
            if (!target) {
                return;
            }
            const now = event.timeStamp;
            recent = recent.filter(
                (one) =>
                    now - one.at < RAGE.ms &&
                    Math.hypot(one.x - event.clientX, one.y - event.clientY) < RAGE.pixels
            );
            recent.push({at: now, x: event.clientX, y: event.clientY});
            const element = target.closest(CLICKABLE) || target;
            const details = describe(element, event);
            if (recent.length === RAGE.clicks) {
                sdk.track("Rage Click", {...details, clicks: recent.length});
            }
            if (element.matches(CLICKABLE)) {
                sdk.track("Element Clicked", details);
                // A field changes by itself; a link to elsewhere leaves the page.
                if (!/^(input|select|textarea)$/.test(element.localName) && !details.is_outbound) {
                    watchDead(element, details);
                }
            }
        },
        {capture: true}
    );
    for (const name of ["copy", "cut"]) {
        addEventListener(name, () => {
            if (sdk.pages.view) {
                sdk.pages.view.copies += 1;
            }
        });
    }
}
