# SPDX-License-Identifier: BSD-2-Clause
# Lines of text as lines of a C string.
s/[\"]/\\&/g
s/.*/"&\\n"/
