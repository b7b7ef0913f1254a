# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class LagoSchema < GraphQL::Schema
  module Types
    class Organization < GraphQL::Schema::Object
      field :id, ID, null: false
      field :name, String, null: false
      field :email, String
      field :timezone, String
    end

    class User < GraphQL::Schema::Object
      field :id, ID, null: false
      field :email, String
      field :organizations, [Organization], null: false
    end

    class Invoice < GraphQL::Schema::Object
      field :id, ID, null: false
      field :number, String, null: false
      field :file_url, String
    end
  end

  module Errors
    private

    def refuse(status, message, code, details = nil)
      extensions = { status: status, code: code, details: details }.compact
      raise GraphQL::ExecutionError.new(message, extensions: extensions)
    end

    def invalid(details) = refuse(422, "Unprocessable Entity", "unprocessable_entity", details)

    def signed_in!
      refuse(401, "unauthorized", "unauthorized") unless context[:user]
    end
  end

  class BaseMutation < GraphQL::Schema::RelayClassicMutation
    include Errors
  end

  class RegisterUser < BaseMutation
    argument :email, String
    argument :password, String
    argument :organization_name, String
    field :token, String, null: false
    field :user, Types::User, null: false
    field :organization, Types::Organization, null: false

    def resolve(email:, password:, organization_name:)
      refuse(405, "Method Not Allowed", "signup_disabled") if Settings.signup_disabled?
      invalid(email: ["user_already_exists"]) if ::User.exists?(email: email)
      invalid(password: ["value_is_invalid"]) if password.blank?
      user, organization, = Registration.create(email: email, password: password, organization_name: organization_name)
      { token: AuthToken.encode(user), user: user, organization: organization }
    end
  end

  class LoginUser < BaseMutation
    argument :email, String
    argument :password, String
    field :token, String, null: false
    field :user, Types::User, null: false

    def resolve(email:, password:)
      user = ::User.find_by(email: email)&.authenticate(password)
      invalid(base: ["incorrect_login_or_password"]) unless user
      { token: AuthToken.encode(user), user: user }
    end
  end

  # The PDF service is called within the request.
  class DownloadInvoice < BaseMutation
    argument :id, ID
    field :id, ID
    field :file_url, String

    def resolve(id:)
      signed_in!
      invoice = context[:organization].invoices.find(id)
      InvoicePdf.generate(invoice)
      { id: invoice.id, file_url: invoice.file_url }
    end
  end

  class AddStripePaymentProvider < BaseMutation
    argument :code, String
    argument :name, String
    argument :secret_key, String
    field :id, ID
    field :code, String

    def resolve(code:, name:, secret_key:)
      signed_in!
      provider = context[:organization].payment_providers.create!(code: code, name: name, secret_key: secret_key)
      { id: provider.id, code: provider.code }
    end
  end

  class MutationRoot < GraphQL::Schema::Object
    graphql_name "Mutation"
    field :register_user, mutation: RegisterUser
    field :login_user, mutation: LoginUser
    field :download_invoice, mutation: DownloadInvoice
    field :add_stripe_payment_provider, mutation: AddStripePaymentProvider
  end

  class QueryRoot < GraphQL::Schema::Object
    include Errors
    graphql_name "Query"
    field :current_user, Types::User
    field :organization, Types::Organization
    field :invoices, [Types::Invoice]

    def current_user = signed_in! || context[:user]
    def organization = signed_in! || context[:organization]
    def invoices = signed_in! || context[:organization].invoices
  end

  query QueryRoot
  mutation MutationRoot
end
