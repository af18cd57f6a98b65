Given an empty disk of a broker that does not say what is in its log directories.
- Keep (LogDirsUnknown): the disk stays until broker 7 has said what is in its log directories.
