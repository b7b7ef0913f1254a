# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
Rails.application.routes.draw do
  mount Sidekiq::Web => "/sidekiq" if Settings.sidekiq_web?
  mount ActionCable.server => "/cable"
  get "/karafka", to: proc { [200, { "content-type" => "text/plain" }, ["karafka\n"]] } if Settings.karafka_web?

  get "/metrics", to: "metrics#show"
  get "/health", to: "application#health"
  get "/ready", to: "application#ready"
  post "/graphql", to: "graphql#execute"
  post "/webhooks/:provider/:organization_id", to: "webhooks#create"
  match "/admin(/*path)", to: "guarded#admin", via: :all
  match "/data_api(/*path)", to: "guarded#data_api", via: :all

  namespace :api do
    namespace :v1 do
      put "organizations", to: "organizations#update"
      get "organizations", to: "organizations#show"
      get "webhooks/public_key", to: "webhooks#public_key"
      get "webhooks/json_public_key", to: "webhooks#json_public_key"
      post "events/batch", to: "events#batch"
      resources :events, only: %i[create show], param: :transaction_id, constraints: { transaction_id: %r{[^/]+} }
      resources :billable_metrics, only: %i[create show], param: :code, constraints: { code: %r{[^/]+} }, format: false
      resources :invoices, only: %i[create show index] do
        post :download, on: :member
      end
    end
  end
end
