/** What a sidecar adds to `Via` of all that it passes on for an adapter: the hub takes nothing that came that way. Its own events have none. */
export const SIDECAR_VIA = '1.1 evalhub-sidecar'
