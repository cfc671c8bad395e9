// Which version these pages are of; the build fills it in from Cargo.toml.

declare const __ADMIT_VERSION__: string | undefined

export const version = typeof __ADMIT_VERSION__ === 'string' ? __ADMIT_VERSION__ : 'development'
