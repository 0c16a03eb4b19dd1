import { cookie } from "@web/core/browser/cookie";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { session } from "@web/session";

const TOLD = "crm_behavior_visitor";

/**
 * Tells the server, once a visit, who has logged in on this browser and what was chosen
 * in the cookies bar. The server takes the login from the session; of a browser that no
 * customer is known by it keeps nothing.
 */
export class BehaviorVisitor extends Interaction {
    static selector = "#wrapwrap";
    dynamicContent = {
        _document: {
            "t-on-optionalCookiesAccepted": () => this.tell(true),
            "t-on-optionalCookiesDenied": () => this.tell(false),
        },
    };

    start() {
        this.anonymousId = window.behavior?.anonymousId?.();
        const choice = cookie.get("website_cookies_bar");
        const isLogin = !session.is_website_user && this.anonymousId;
        const state = JSON.stringify([choice, isLogin, this.anonymousId]);
        if ((choice || isLogin) && this.told !== state) {
            this.told = state;
            this.tell();
        }
    }

    /** What was told in this tab: a visit asks once, not each of its pages. */
    get told() {
        try {
            return sessionStorage.getItem(TOLD);
        } catch {
            return null;
        }
    }

    set told(state) {
        try {
            sessionStorage.setItem(TOLD, state);
        } catch {
            // Closed storage: told again on the next page, which does no harm.
        }
    }

    /** @param {boolean} [agreed] the choice of this moment, whose cookie is not set yet */
    tell(agreed) {
        // A script that was refused has forgotten the id: it is the one from before.
        this.anonymousId = window.behavior?.anonymousId?.() || this.anonymousId;
        fetch("/behavior/visitor", {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ anonymousId: this.anonymousId, agreed }),
            keepalive: true,
        }).catch(() => {
            // Off line: the cookie tells it at the next visit.
            this.told = "";
        });
    }
}

registry.category("public.interactions").add("crm_behavior_analytics.visitor", BehaviorVisitor);
