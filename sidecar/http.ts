/**
 * Node's HTTP, without its named exports: an import of them loads the WebSocket client behind one of them, and with it 13 MB.
 */
export const http = process.getBuiltinModule('node:http')

/** Node's HTTPS, loaded when the first `https:` URL is asked. */
export const loadHttps = () => process.getBuiltinModule('node:https')
