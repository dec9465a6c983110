"""The write path, free of any screen: one use case a module, journalled before and audited after."""
