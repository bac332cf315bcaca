/** No key of a model, and no certificate beside it, is longer; what is longer is another file that was named by mistake. */
export const SECRET_FILE_MAX_BYTES = 64 * 1024
