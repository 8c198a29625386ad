#!/usr/bin/env node
// Stands apart from what the build makes, so that npm can link it before anything is built.
import '../dist/cli/avow.js'
