window.API_URL = "https://lago.example.com/api"
window.APP_ENV = "production"
window.LAGO_OAUTH_PROXY_URL = "https://proxy.getlago.com"
window.LAGO_DISABLE_SIGNUP = "false"
