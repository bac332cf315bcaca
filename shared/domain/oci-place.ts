/** The grammar of the OCI distribution specification, and how it is said. What is not in it could be a path to elsewhere. */
export const OCI_PLACE = {
  oci_repository: {
    grammar: /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/,
    rule: 'lower-case letters and digits, in parts divided by "/", within them by one ".", one or two "_", or any number of "-"',
  },
  oci_tag: { grammar: /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/, rule: '1 to 128 letters, digits, "_", "." and "-", the first no "." or "-"' },
} as const
