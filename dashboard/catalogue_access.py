"""Words about signing in: key -> (Chinese, English), as in `catalogue`."""

ACCESS_WORDS: dict[str, tuple[str, str]] = {
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出登录", "Sign out"),
    "sign_in_first": ("请先登录", "Please sign in"),
    "signed_out": ("登录已过期，请重新登录", "Your session has ended, please sign in again"),
    "not_listed": ("这个账号没有访问权限，或登录已过期", "This account has no access here, or its session has ended"),
    "not_listed_hint": (
        "请用别的账号登录，或请管理员把你的邮箱加入名单。",
        "Sign in with another one, or ask the administrator to list your address.",
    ),
    "role_of_viewer": ("只读", "viewer"),
    "role_of_editor": ("可编辑", "editor"),
}
