Given a broker that runs, is named in no assignment, and does not say what is in its log directories.
- Keep (LogDirsUnknown): broker 7 stays until it has said what is in its log directories.
