/** The credential of `Authorization: Bearer …`; undefined without one. */
export const bearerOf = (headers: Headers): string | undefined => /^Bearer +(\S+)$/i.exec(headers.get('Authorization') ?? '')?.[1]
