/** Placeholder */
export const openApiDocument = () => ({})
