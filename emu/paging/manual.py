# SPDX-License-Identifier: GPL-2.0-or-later
"""Where Intel's manual says what the model does: the one table of sections that sentences and refusals cite."""

from enum import StrEnum


class Section(StrEnum):
    """A section of the SDM by title and number. The titles last longer than the numbers."""

    WALK_32_BIT = 'SDM vol. 3A, "32-Bit Paging", 4.3'
    WALK_PAE = 'SDM vol. 3A, "PAE Paging", 4.4'
    PDPTE_REGISTERS = 'SDM vol. 3A, "PDPTE Registers", 4.4.1'
    WALK_LONG = 'SDM vol. 3A, "Linear-Address Translation with 4-Level Paging and 5-Level Paging", 4.5.4'
    RIGHTS = 'SDM vol. 3A, "Determination of Access Rights", 4.6.1'
    PROTECTION_KEYS = 'SDM vol. 3A, "Protection Keys", 4.6.2'
    PAGE_FAULTS = 'SDM vol. 3A, "Page-Fault Exceptions", 4.7'
    ACCESSED_AND_DIRTY = 'SDM vol. 3A, "Accessed and Dirty Flags", 4.8'
    PCIDS = 'SDM vol. 3A, "Process-Context Identifiers (PCIDs)", 4.10.1'
    TLBS = 'SDM vol. 3A, "Translation Lookaside Buffers (TLBs)", 4.10.2'
    CACHING = 'SDM vol. 3A, "Caching Translations in TLBs", 4.10.2.2'
    TLB_USE = 'SDM vol. 3A, "Details of TLB Use", 4.10.2.3'
    GLOBAL_PAGES = 'SDM vol. 3A, "Global Pages", 4.10.2.4'
    STRUCTURE_FILLS = 'SDM vol. 3A, "Caches for Paging Structures", 4.10.3.1'
    STRUCTURE_CACHES = (
        'SDM vol. 3A, "Using the Paging-Structure Caches to Translate Linear Addresses", 4.10.3.2'
    )
    INVALIDATION = 'SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches", 4.10.4.1'
    RECOMMENDED_INVALIDATION = 'SDM vol. 3A, "Recommended Invalidation", 4.10.4.2'
    OPTIONAL_INVALIDATION = 'SDM vol. 3A, "Optional Invalidation", 4.10.4.3'
    EXCEPTIONS = 'SDM vol. 3A, "Exception and Interrupt Reference", 6.15'
    CANONICAL = 'SDM vol. 1, "Canonical Addressing", 3.3.7.1'
