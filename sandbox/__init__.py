"""Local servers that speak the vendors' protocols as strictly as the vendors do. Never imported by the engine."""
